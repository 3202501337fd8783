"""What a request costs in the gateway, beside a relay that does nothing for its users. Run by `make bench`."""
