"""Recordings of the real reference SDK and the real cloud, held against this SDK.

::

    recordings      where the vectors lie; loading; test ids
    timeline        a recorded scenario as one list of items, and the differences that stand everywhere
    rows            deviations.toml: intended differences as patterns over items, and what does not exist yet
    rewrites        what rows need that concerns more than one item
    marks           comparison of values with the marks of the recordings
    cloud, asgi     the other end: a WebSocket server over memory streams that does what is recorded, and its webhooks
    app, calls      the app: recorded calls and handlers, spelled in this SDK
    replay          plays a timeline and compares

A scenario is never excused as a whole: a difference is either described by a row, which says what happens instead and
why, or it is a failure. Recordings that nobody has seen yet run the same way: put them into the folder that
`MENTRA_VECTORS_DIR` names.
"""
