"""The one way out: HTTP to receivers, with every address checked before it is connected to.

Connections are urllib3's, kept alive for each destination. The bytes of a request are written, and those of an answer
read, here: one send for each request, and a bound on everything that a receiver can make us keep. Redirects, proxies of
the environment and cookies do not exist.
"""

from integration_server.sdk.http.client import HttpClient

__all__ = ["HttpClient"]
