"""Programs that measure. Each writes what it found beside itself."""
