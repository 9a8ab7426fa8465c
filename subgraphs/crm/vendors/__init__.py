"""CRMs behind the port."""
