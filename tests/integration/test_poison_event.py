"""An event that terminates every relay that sends it (a poison event) is identified and blocked, and the others are
delivered."""

import json
import unittest

from catalogue import faults
from servers.kafka_proxy import NOT_ENOUGH_REPLICAS, proxied_kafka
from servers.process import wait_until
from servers.topic import read_topic
from test_faults import FaultTest, lines

TOPIC = "orders"
KILLER = 100
COUNT = 300
# The largest number of relays that end: one at full speed, one for each time that the doubled steps of a slow start reach
# the event again, and three that have marked it.
MAX_ENDS = 1 + KILLER.bit_length() + 3


class PoisonEventTest(FaultTest):
    @faults(89)
    def test_the_event_that_ends_relays_is_parked(self):
        with proxied_kafka() as (broker, proxy):
            broker.create_topic(TOPIC, partitions=2)
            relay = self.sqlite(proxy.bootstrap, {"reserve_duration": "2s"},
                                kafka={"bootstrap.servers": proxy.bootstrap, "compression.type": "none"})
            text = lines(TOPIC, COUNT, key="k").splitlines()
            killer = {**json.loads(text[KILLER]), "key": "bad", "payload": "KILLER"}
            text[KILLER] = json.dumps(killer)
            text[KILLER + 1] = json.dumps({**json.loads(text[KILLER + 1]), "key": "bad"})
            self.emit(relay, "\n".join(text))

            def kill(_, request):
                if b"KILLER" not in request.frame:
                    return None
                relay.kill()
                return NOT_ENOUGH_REPLICAS

            proxy.reset(refuse=kill)
            ends = 0
            relay.start()

            def settled():
                nonlocal ends
                if relay.returncode is None:
                    return self.status(relay)["blocked"] == 1
                ends += 1
                relay.start()
                return False

            wait_until(settled, 120, "the event is blocked")
            print(f"  {ends} relays ended")
            self.assertTrue(4 <= ends <= MAX_ENDS, ends)
            relay.wait_for_log("poison_event")
            self.wait_for_backlog(relay, 2)  # the event and the one that is queued behind it
            self.assertEqual(set(self.payloads(broker.bootstrap, TOPIC)),
                             {str(i) for i in range(COUNT)} - {str(KILLER), str(KILLER + 1)})

            # After the cause is fixed, the event is delivered.
            proxy.reset()
            self.assertEqual(relay.command("unblock", "--key", "bad").returncode, 0)
            self.wait_for_backlog(relay, 0)
            self.assertEqual(relay.stop(), 0)
            self.assertEqual([r.payload for r in read_topic(broker.bootstrap, TOPIC) if r.key == b"bad"],
                             [b"KILLER", str(KILLER + 1).encode()])


if __name__ == "__main__":
    unittest.main()
