"""One query API for video search, on any stack."""
