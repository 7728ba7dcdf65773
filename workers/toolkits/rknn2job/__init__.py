"""Driving RKNN-Toolkit2 inside its own interpreter; used by workers/toolkits/rknn2_job.py in the child only."""
