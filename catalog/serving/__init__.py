"""One process or several that serve an instance: workers, signals, health, metrics, access log, verification."""
