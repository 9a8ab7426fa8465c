"""`python -m subgraphs.crm.sandbox` serves the sandbox until SIGTERM."""

from subgraphs.crm.sandbox.app import main

if __name__ == "__main__":
    main()
