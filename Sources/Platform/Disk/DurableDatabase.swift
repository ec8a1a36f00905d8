// SQLite as the engines want it: WAL, every commit on the disk before it is answered.

import GRDB

/// Opens a database file (made if missing) in WAL mode with `synchronous = FULL`. Blocks.
public func openDurableDatabase(_ path: String, readers: Int = 4, migrations: DatabaseMigrator) throws -> DatabasePool {
  var configuration = Configuration()
  configuration.maximumReaderCount = readers
  configuration.busyMode = .timeout(5)
  configuration.prepareDatabase { db in
    if !db.configuration.readonly {
      // GRDB sets NORMAL in WAL mode, which may lose acknowledged commits when the machine stops.
      try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000")
    }
    try db.execute(sql: "PRAGMA cache_size = -8000")
  }
  let pool = try DatabasePool(path: path, configuration: configuration)
  try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
  try migrations.migrate(pool)
  return pool
}
