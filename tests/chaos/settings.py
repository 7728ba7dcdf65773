"""How long things wait in these tests: a lease of four seconds, so that recovery is seen in seconds."""

TIMES = {"LAYERWISE_LEASE_SECONDS": "4", "LAYERWISE_SWEEP_SECONDS": "1", "LAYERWISE_RING_AGAIN_SECONDS": "3"}
