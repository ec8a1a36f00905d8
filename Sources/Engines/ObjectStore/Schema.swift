// The index: which keys there are and where their bytes lie. Migrations run forward only and are never edited.

import GRDB

/// Blob reference counts are kept by the code in `Rows` alone; there are no foreign keys on the tables that a reset
/// empties, because SQLite would then delete row by row.
let objectMigrations: DatabaseMigrator = {
  var migrator = DatabaseMigrator()
  migrator.registerMigration("0001-objects") { db in
    try db.execute(
      sql: """
        CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), folder INTEGER NOT NULL) STRICT;
        INSERT INTO state VALUES (1, 1);

        CREATE TABLE bucket (
          id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,
          versioning INTEGER NOT NULL CHECK (versioning IN (0, 1, 2)), configuration BLOB NOT NULL
        ) STRICT;

        -- Bytes, encoded in blocks: here when they are few, else in a file named after the id.
        CREATE TABLE blob (
          id INTEGER PRIMARY KEY, folder INTEGER NOT NULL, size INTEGER NOT NULL CHECK (size >= 0),
          refs INTEGER NOT NULL CHECK (refs > 0), bytes BLOB
        ) STRICT;

        -- A higher id is a newer version. Keys are blobs so that they compare as bytes and may hold NUL.
        CREATE TABLE version (
          id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL,
          key BLOB NOT NULL CHECK (length(key) BETWEEN 1 AND 1024),
          versionID TEXT NOT NULL, current INTEGER NOT NULL CHECK (current IN (0, 1)),
          marker INTEGER NOT NULL CHECK (marker IN (0, 1)), size INTEGER NOT NULL, etag TEXT NOT NULL,
          modified INTEGER NOT NULL, attributes BLOB NOT NULL, blob INTEGER, parts INTEGER NOT NULL,
          CHECK (NOT (current AND marker))
        ) STRICT;
        CREATE INDEX versionByKey ON version (bucket, key, id DESC);
        -- What a plain list shows: one row a key, no delete markers.
        CREATE UNIQUE INDEX currentByKey ON version (bucket, key) WHERE current = 1;

        CREATE TABLE upload (
          id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, key BLOB NOT NULL,
          uploadID TEXT NOT NULL UNIQUE, initiated INTEGER NOT NULL, attributes BLOB NOT NULL
        ) STRICT;
        CREATE INDEX uploadByKey ON upload (bucket, key, id);

        -- Parts of uploads (owner = upload.id) become parts of objects (owner = version.id) by moving over.
        CREATE TABLE uploadPart (
          owner INTEGER NOT NULL, number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 10000), size INTEGER NOT NULL,
          etag TEXT NOT NULL, modified INTEGER NOT NULL, checksums BLOB NOT NULL, blob INTEGER NOT NULL,
          PRIMARY KEY (owner, number)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE versionPart (
          owner INTEGER NOT NULL, number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 10000), size INTEGER NOT NULL,
          etag TEXT NOT NULL, modified INTEGER NOT NULL, checksums BLOB NOT NULL, blob INTEGER NOT NULL,
          PRIMARY KEY (owner, number)
        ) STRICT, WITHOUT ROWID;
        """)
  }
  return migrator
}()
