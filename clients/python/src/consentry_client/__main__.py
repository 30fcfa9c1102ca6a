"""``python -m consentry_client``: the command ``consentry`` where its script is not on the path."""

import sys

from consentry_client.command_line.main import main

sys.exit(main())
