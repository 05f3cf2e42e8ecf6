"""Makes the harness' options, fixtures and reporting available to pytest."""

pytest_plugins = ["harness.plugin", "pytester"]
