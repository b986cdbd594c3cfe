#!lua name=kdcube_v1
redis.register_function('kdcube_ping_v1', function() return 'PONG' end)
