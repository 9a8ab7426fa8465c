"""`python -m subgraphs.billing.sandbox`"""

from subgraphs.billing.sandbox.process import main

main()
