// The storefront's backend: products and orders, carts, pictures and receipts under /api/*.
import AsyncHTTPClient
import Glibc
import Hummingbird
import StorefrontKit

let program = Program(name: "storefront-backend")
exit(
  await program.main { program in
    let settings = program.settings
    let logger = program.logger
    let signer = try ReceiptSigner(
      secret: try settings.require("PAYMENT_KEY", for: "the secret that receipts are signed with"))
    let pool = PostgresPool(options: try PostgresPool.options(from: settings), logger: logger)
    let redis = try RedisClient(settings: settings, logger: logger)
    let products = ProductStore(pool: pool)
    let pictures = PictureStore(
      bucket: try S3Client(settings: settings, client: HTTPClient.shared), products: products)
    let health = Health(pool: pool, redis: redis)
    let api = API(
      products: products, carts: CartStore(redis: redis), orders: OrderStore(pool: pool, signer: signer),
      pictures: pictures, signer: signer, health: health)
    let log = RequestLog(task: program.task, taskField: .backendTask, output: program.output, answer: API.answer)
    let startup = Startup(
      pool: pool, redis: redis, pictures: pictures, signer: signer, health: health, logger: logger)
    try await program.run(
      Application(
        router: api.router(log: log),
        configuration: .init(address: try settings.address(port: 4000), serverName: "storefront-backend"),
        services: [startup], logger: logger))
    await redis.close()
    try await pool.close()
  })
