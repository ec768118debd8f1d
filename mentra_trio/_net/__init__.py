"""The only modules that touch sockets.

`transport` is the seam that the rest of the package sees; `websocket` fills it. `hosts` decides where the API
key may go and `limiter` how fast we connect. `asgi` and `serve` are the way in: the HTTP application and the
server under it.
"""
