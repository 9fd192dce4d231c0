"""A guest book: its entries in PostgreSQL, how often it was read in Redis."""

import http.server
import os
import socket

import psycopg2


def cache(*words):
    with socket.create_connection((os.environ["CACHE"], 6379), 5) as end:
        end.sendall((" ".join(words) + "\r\n").encode())
        return end.recv(4096).decode().strip(":\r\n")


def database(line, *values):
    with psycopg2.connect(os.environ["DATABASE"]) as database, database.cursor() as cursor:
        cursor.execute(line, values)
        return cursor.fetchall() if cursor.description else []


class Book(http.server.BaseHTTPRequestHandler):
    def answer(self, code, text):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, str(database("SELECT 1")))
        entries = [row[0] for row in database("SELECT entry FROM book ORDER BY number")]
        self.answer(200, "\n".join(entries + [f"read {cache('INCR', 'reads')} times\n"]))

    def do_POST(self):
        entry = self.rfile.read(int(self.headers["Content-Length"])).decode()
        database("INSERT INTO book (entry) VALUES (%s)", entry)
        self.answer(201, "written\n")


database("CREATE TABLE IF NOT EXISTS book (number serial, entry text)")
http.server.ThreadingHTTPServer(("", 8000), Book).serve_forever()
