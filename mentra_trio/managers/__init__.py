"""What an app can do, one module per capability. A method is a signature, a docstring and a line or two over `Link`."""
