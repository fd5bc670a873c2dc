"""Drivers that cause the faults of each database, all with the same interface: see test_database_faults.py."""

from .mysql import MariadbDatabase, MysqlDatabase
from .postgres import PostgresDatabase
from .sqlite import SqliteDatabase
