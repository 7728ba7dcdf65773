"""A board made of software: a real SSH server, the real agent, a virtual NPU. All it makes is simulated."""
