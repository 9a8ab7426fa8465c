"""`python -m subgraphs.erp.sandbox`."""

from subgraphs.erp.sandbox.app import main

if __name__ == "__main__":
    main()
