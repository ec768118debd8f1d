"""Recordings of the real cloud, replayed: once against the simulator's engine, once against this SDK.

::

    steps           a recording as a list of steps, each with its parties, its time and its partner
    masks           comparison with the masked values of the recordings
    world           world.toml: the apps of the recordings; what the database must have held
    differences     differences.toml: what is different on purpose, as patterns over steps
    app_socket      a bare WebSocket client that notes every frame
    engine          drives the engine with what apps and phones did, and compares what it sent to them
"""
