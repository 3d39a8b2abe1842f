"""The command line: one module per noun, loaded when its command runs, so that its ``--help`` comes at once.

Plugins bring commands, too. They are loaded only for a name that is none of the server's own, and to list all.

Exit codes, the same for every command:

====  ==============================================================================================
0     done; the answer is yes
1     done; the answer is no (a refused login, nothing held, nobody of that name)
2     the command was typed wrongly
3     the configuration is wrong: a file, a setting, a plugin, an address that cannot be listened on
4     unavailable: a backend or the server's own store could not be asked, so there is no answer
70    a fault in the program itself
130   interrupted with Ctrl-C
====  ==============================================================================================
"""

from integration_server.cli.group import cli as main

__all__ = ["main"]
