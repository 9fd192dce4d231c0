"""Keeps notes on what all copies share, and says which copy answers."""

import http.server
import pathlib
import socket

NOTES = pathlib.Path("/notes/all")


class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        notes = NOTES.read_text() if NOTES.exists() else ""
        self.wfile.write(f"{socket.gethostname()} {notes}\n".encode())

    def do_POST(self):
        NOTES.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()


http.server.ThreadingHTTPServer(("", 8000), App).serve_forever()
