// The tables. Migrations run forward only and are never edited.

import GRDB

/// Ids are never used twice, so that events left over from a deleted stream belong to nobody. No foreign keys: SQLite
/// would then empty the tables row by row.
let logMigrations: DatabaseMigrator = {
  var migrator = DatabaseMigrator()
  migrator.registerMigration("0001-logs") { db in
    try db.execute(
      sql: """
        CREATE TABLE logGroup (
          id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
          retentionDays INTEGER CHECK (retentionDays > 0), configuration BLOB NOT NULL
        ) STRICT;

        CREATE TABLE logStream (
          id INTEGER PRIMARY KEY AUTOINCREMENT, logGroup INTEGER NOT NULL, name TEXT NOT NULL,
          created INTEGER NOT NULL, firstEvent INTEGER, lastEvent INTEGER, lastIngestion INTEGER,
          bytes INTEGER NOT NULL DEFAULT 0, events INTEGER NOT NULL DEFAULT 0,
          UNIQUE (logGroup, name)
        ) STRICT;

        CREATE TABLE event (
          id INTEGER PRIMARY KEY AUTOINCREMENT, logGroup INTEGER NOT NULL, stream INTEGER NOT NULL,
          time INTEGER NOT NULL, ingested INTEGER NOT NULL, message BLOB NOT NULL
        ) STRICT;
        CREATE INDEX eventByStream ON event (stream, time, id);
        CREATE INDEX eventByGroup ON event (logGroup, time, id);

        -- Streams that are gone and whose events are still being removed.
        CREATE TABLE doomed (stream INTEGER PRIMARY KEY) STRICT;
        """)
  }
  return migrator
}()
