"""No secret may stand in a log: a plugin of pytest that watches what the whole suite logs.

``watch`` knows the secrets of the tests of one file and what was logged. ``seams`` tells it of every secret that our
code or a request of a test handles, ``records`` of what is logged in this process, ``programs`` of what servers of ours
say on standard error; ``plugin`` looks after each test. They observe, and change nothing.
"""
