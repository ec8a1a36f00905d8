// The tables of the shop and how they came to be. Migrations are frozen: a change is a new one at the end.

/// Brings the database to the newest schema and puts the shop's goods into it.
enum Schema {
  /// Two tasks that start at once take turns on this advisory lock.
  static let lock = 7_310_421

  /// The migrations in order; the first has number 1.
  static let migrations = [
    """
    CREATE TABLE products (
      id text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,60}$'),
      position integer NOT NULL,
      name text NOT NULL,
      tagline text NOT NULL,
      details text NOT NULL,
      material text NOT NULL,
      picture text NOT NULL,
      picture_key text NOT NULL,
      cents integer NOT NULL CHECK (cents > 0));
    CREATE TABLE orders (
      id text PRIMARY KEY,
      number bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) UNIQUE,
      session text NOT NULL,
      checkout text NOT NULL,
      placed timestamptz NOT NULL,
      name text NOT NULL,
      email text NOT NULL,
      address text NOT NULL,
      UNIQUE (session, checkout));
    CREATE INDEX orders_of_session ON orders (session, placed DESC);
    CREATE TABLE order_lines (
      order_id text NOT NULL REFERENCES orders (id),
      position integer NOT NULL,
      product text NOT NULL,
      name text NOT NULL,
      cents integer NOT NULL CHECK (cents > 0),
      quantity integer NOT NULL CHECK (quantity > 0),
      PRIMARY KEY (order_id, position));
    CREATE TABLE receipt_keys (
      id text PRIMARY KEY,
      public_key text NOT NULL,
      added timestamptz NOT NULL DEFAULT now());
    CREATE TABLE receipts (
      order_id text PRIMARY KEY REFERENCES orders (id),
      key_id text NOT NULL REFERENCES receipt_keys (id),
      signature text NOT NULL);
    """
  ]

  /// Migrates and seeds in the transaction that `connection` is in. May be run at any time, by any number of tasks.
  static func bringUp(_ connection: PostgresConnection, goods: [Goods], signer: ReceiptSigner) throws {
    // Waiting for the other task's migration may take longer than a visitor's statement may.
    try connection.run("SET LOCAL statement_timeout = 0")
    try connection.run("SELECT pg_advisory_xact_lock(\(lock))")
    try connection.run(
      """
      CREATE TABLE IF NOT EXISTS storefront_migrations (
        number integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())
      """)
    let done = try connection.run("SELECT coalesce(max(number), 0) FROM storefront_migrations").first?.int(0) ?? 0
    for (index, migration) in migrations.enumerated() where index + 1 > done {
      try connection.runScript(migration)
      try connection.run("INSERT INTO storefront_migrations (number) VALUES ($1)", [String(index + 1)])
    }
    try seed(connection, goods)
    try connection.run(
      "INSERT INTO receipt_keys (id, public_key) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
      [signer.keyID, signer.publicKey])
  }

  private static func seed(_ connection: PostgresConnection, _ goods: [Goods]) throws {
    for (position, item) in goods.enumerated() {
      let product = item.product
      try connection.run(
        """
        INSERT INTO products (id, position, name, tagline, details, material, picture, picture_key, cents)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (id) DO UPDATE SET position = excluded.position, name = excluded.name,
          tagline = excluded.tagline, details = excluded.details, material = excluded.material,
          picture = excluded.picture, picture_key = excluded.picture_key, cents = excluded.cents
        WHERE products IS DISTINCT FROM excluded
        """,
        [
          product.id, String(position), product.name, product.tagline, product.details, product.material,
          product.picture, item.pictureKey, String(product.cents),
        ])
    }
  }
}
