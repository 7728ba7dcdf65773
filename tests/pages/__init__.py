"""Every page, for everybody who may or may not see it."""
