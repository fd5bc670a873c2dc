"""Real servers for the tests, on free loopback ports and in temporary folders, and the program under test."""

from .kafka import KafkaBroker
from .kafka_wire import KafkaAdmin, KafkaError
from .mariadb import MariadbServer
from .mysql import MysqlServer
from .pgbouncer import PgBouncer
from .postgres import PostgresServer, PostgresStandby
from .process import Process, TemporaryFolder, Unavailable, free_port, memory, wait_until
from .relay import Relay, find_binary, outbox_relay, relay_config
from .shared import (own_kafka, own_mariadb, own_mysql, own_postgres, shared_kafka, shared_mariadb, shared_mysql,
                     shared_postgres, unavailable)
from .topic import Record, read_topic
