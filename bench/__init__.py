"""How fast `mentra_trio` is, measured; `python3 -m nox -s bench` runs all of it.

An app runs in a process of its own; this package plays the cloud for it in another, with frames that were encoded
before they are needed. So what is counted is the app's own work. Each program prints its figures as JSON::

    python -m bench.throughput   text events and microphone chunks through `async for`
    python -m bench.starts       webhook to started handler
    python -m bench.memory       memory of idle sessions
    python -m bench.latency      event in to display out
    python -m bench.imports      import time over Trio's
    python -m bench              all of them, as one table
    python -m bench.profile      where the time goes

`frames` and `cloud` are the load source, `app`, `bare` and `reference/app.ts` the apps, `contenders` starts them, and
`figures` is what comes out.
"""
