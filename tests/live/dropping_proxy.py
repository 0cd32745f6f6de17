"""A TCP proxy before a NameNode that loses replies: the call has been made, and its caller never hears of it.

Hadoop's RPC sends frames of four bytes length and their content, in which the names of method and paths stand as they
are; that is all the proxy needs to know of it.
"""

import asyncio
import threading

# "hrpc", version, service class, authentication: what a connection begins with.
PREAMBLE = 7


class DroppingProxy(threading.Thread):
    """Passes everything on, but ends the connection instead of the reply to a chosen call."""

    def __init__(self, target_host, target_port, chooses):
        super().__init__(daemon=True)
        self.target = target_host, target_port
        # Asked with the content of each frame towards the NameNode.
        self.chooses = chooses
        self.dropped = 0
        self.port = None
        self.ready = threading.Event()
        self.start()
        self.ready.wait(30)

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        server = await asyncio.start_server(self.connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        async with server:
            await server.serve_forever()

    async def connection(self, client_reader, client_writer):
        try:
            server_reader, server_writer = await asyncio.open_connection(*self.target)
        except OSError:
            client_writer.close()
            return
        chosen = asyncio.Event()
        pumps = {asyncio.create_task(self.calls(client_reader, server_writer, chosen)),
                 asyncio.create_task(self.replies(server_reader, client_writer, chosen))}
        _, others = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in others:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        client_writer.close()
        server_writer.close()

    async def calls(self, reader, writer, chosen):
        writer.write(await reader.readexactly(PREAMBLE))
        while True:
            length = await reader.readexactly(4)
            frame = await reader.readexactly(int.from_bytes(length, "big"))
            if self.chooses(frame):
                chosen.set()
            writer.write(length + frame)
            await writer.drain()

    async def replies(self, reader, writer, chosen):
        while data := await reader.read(1 << 16):
            if chosen.is_set():
                self.dropped += 1
                return
            writer.write(data)
            await writer.drain()
