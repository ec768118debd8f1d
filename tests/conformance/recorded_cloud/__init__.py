"""Recordings of the real cloud, replayed: once against the simulator's engine, once against this SDK.

::

    steps           a recording as a list of steps, each with its parties, its time and its partner
    masks           the masked values of the recordings: comparison, and something to send
    world           world.toml: the apps of the recordings; what the database must have held
    differences     differences.toml: what is different on purpose, as patterns over steps
    app_socket      a bare WebSocket client that notes every frame
    engine          drives the engine with what apps and phones did, and compares what it sent to them
    cloud_side      what the cloud did on its sockets, done again on those that this SDK opens
    sdk             apps of this SDK that live through a recording, and what they must not do
"""
