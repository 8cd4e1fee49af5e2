"""What benchmarks/logs.py compares: small networks, trained by each framework in a process of its own."""
