"""What an app can make the glasses and the phone do, one module for each capability (P3).

A module holds the commands and requests of its capability, with the answers that they read. Managers import them from
here; nobody else does.
"""
