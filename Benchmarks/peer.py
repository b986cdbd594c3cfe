"""The peer: python-socketio under uvicorn with its fastest parts, with the handlers of `conformance-server --suite bench`."""

import sys

import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")


@sio.event
async def echo(sid, value):
    return value


@sio.event
async def join(sid, room):
    await sio.enter_room(sid, room)
    return room


@sio.event
async def bcast(sid, room, value):
    await sio.emit("tick", value, room=room)


if __name__ == "__main__":
    application = socketio.ASGIApp(sio)
    options = {"loop": "uvloop", "http": "httptools", "ws": "wsproto", "ws_per_message_deflate": False}
    uvicorn.run(application, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", **options)
