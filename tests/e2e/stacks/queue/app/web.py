"""Takes jobs and tells what became of them."""

import http.server

from resp import ask


class Jobs(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = ask("GET", "result" + self.path)
        self.send_response(404 if found is None else 200)
        self.end_headers()
        self.wfile.write((found or "").encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        ask("LPUSH", "jobs", f"{self.path} {body}")
        self.send_response(202)
        self.end_headers()


http.server.ThreadingHTTPServer(("", 8000), Jobs).serve_forever()
