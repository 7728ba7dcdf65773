"""What an uploaded model file is and holds, told by its content, without the framework that wrote it.

Standard library only, and nothing of the file is ever executed: pickles are listed, never loaded. Runs in the limited
child, and again in a toolkit's own interpreter, which finds the model's parts by the same look.
"""
