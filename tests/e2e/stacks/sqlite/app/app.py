"""Notes in a file of SQLite."""

import http.server
import os
import socket
import sqlite3


def ask(line, *values):
    with sqlite3.connect("notes") as file:
        return file.execute(line, values).fetchall()


class Notes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        notes = " ".join(row[0] for row in ask("SELECT note FROM notes"))
        self.wfile.write(f"{socket.gethostname()} {os.getuid()}: {notes}\n".encode())

    def do_POST(self):
        ask("INSERT INTO notes VALUES (?)", self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()


ask("CREATE TABLE IF NOT EXISTS notes (note TEXT)")
http.server.ThreadingHTTPServer(("", 8000), Notes).serve_forever()
