"""What can go wrong with a database, for each of them the same handful of names: see test_database_faults.py."""

from .mysql import MariadbDatabase, MysqlDatabase
from .postgres import PostgresDatabase
from .sqlite import SqliteDatabase
