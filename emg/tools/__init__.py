"""What an engineer tries a gateway with: send, load, sink (a simulated operator), pdu, and the demo that `make run` starts."""
