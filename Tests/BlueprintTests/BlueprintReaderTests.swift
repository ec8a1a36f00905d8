// castle.yaml: what is read, and what is said about mistakes.
import Testing

@testable import Blueprint

@Suite("Reading castle.yaml")
struct BlueprintReaderTests {
  @Test("the storefront is read as it is written")
  func storefront() throws {
    let blueprint = try Fixture.blueprint("storefront")
    #expect(blueprint.name == "storefront")
    #expect(blueprint.domain == "storefront.test")
    #expect(
      blueprint.services.first
        == Blueprint.Service(
          name: "frontend", build: nil, run: "./frontend", port: 3000,
          publicRoute: .init(path: "/", health: "/healthz"), internalRoute: nil, cpu: 0.25, memoryMegabytes: 512,
          scale: .init(min: 2, max: 10, cpuPercent: 60, requests: 1000), uses: ["backend", "sessions", "assets"],
          environment: []))
    #expect(
      blueprint.databases == [
        .init(name: "orders", engine: .auroraPostgreSQL, replicas: 1...5, acu: 0.5...16, backupDays: 7)
      ])
    #expect(blueprint.caches == [.init(name: "sessions", engine: .redis, shards: 1, replicas: 1)])
    #expect(blueprint.buckets == [.init(name: "assets", expireDays: 365, glacierDays: 90)])
    #expect(blueprint.secrets == [.init(name: "payment-key", rotateDays: 30)])
    #expect(blueprint.shield == .init(rate: .init(requests: 2000, windowSeconds: 300)))
  }

  @Test("every key is read, and what is left out has a default")
  func everything() throws {
    let blueprint = try Fixture.blueprint("everything")
    let web = try #require(blueprint.services.first)
    #expect(
      web.environment == [
        .init(name: "LOG_LEVEL", value: "debug"), .init(name: "FEATURES", value: "a,b"),
        .init(name: "WORKERS", value: "4"),
      ])
    #expect(web.memoryMegabytes == 3072)
    #expect(
      blueprint.shield
        == .init(
          rate: .init(requests: 100, windowSeconds: 60), connections: 200, newConnections: 50, requestsPerSecond: 12.5))
    #expect(blueprint.services[2].scale == .init(min: 1, max: 1, cpuPercent: nil, requests: nil))
    #expect(blueprint.databases.map(\.replicas) == [2...2, 0...0])
    #expect(blueprint.caches.map(\.shards) == [1, 3])
    #expect(blueprint.buckets.map(\.expireDays) == [nil, 14])
    #expect(blueprint.secrets == [.init(name: "login-key", rotateDays: nil)])
    #expect(
      blueprint.vpns == [
        .init(name: "office", peer: "203.0.113.10", networks: ["192.168.0.0/16", "10.8.0.0/24"])
      ])
  }

  /// A service that is right, and a place for one line that is not.
  private static func file(service: String = "", rest: String = "") -> String {
    "name: shop\nservices:\n  web: { run: ./web, port: 80\(service) }\n\(rest)"
  }

  @Test(
    "a mistake is told with its place and the nearest right word",
    arguments: [
      (file(service: ", prot: 1"), #"3:32: unknown key "prot" in service "web"; did you mean "port"?"#),
      (file(rest: "servces: {}"), #"4:1: unknown key "servces" in castle.yaml; did you mean "services"?"#),
      (
        file(service: ", uses: [order]", rest: "databases: {orders: {}}"),
        #"3:39: service "web" uses "order", which is not in this file; did you mean "orders"?"#
      ),
      (file(service: ", uses: [zebra]"), #"3:39: service "web" uses "zebra", which is not in this file"#),
      (
        file(service: ", memory: 512mb"),
        #"3:40: "memory" in service "web": "512mb" is not a size: write a number and MB or GB, such as 512MB; did you mean "512MB"?"#
      ),
      (
        file(service: ", scale: {cpu: 60}"),
        #"3:45: "cpu" in scale of service "web": "60" is not a percentage: write it such as 60%; did you mean "60%"?"#
      ),
      (file(service: ", scale: {cpu: 160%}"), #"3:45: "cpu" in scale of service "web" must be from 1% to 100%"#),
      (file(service: ", scale: {min: 5, max: 2}"), #"3:45: scale of service "web" has min 5 above max 2"#),
      (
        file(service: ", scale: {requests: 5}"),
        #"3:39: service "web" cannot scale by requests: it has no "public" and no "internal" route"#
      ),
      (
        file(service: ", public: {path: shop}"),
        #"3:47: "path" of service "web" must start with /; did you mean "/shop"?"#
      ),
      (file(service: ", cpu: 32"), #"3:37: "cpu" in service "web" must be from 0.25 to 16.0, not 32"#),
      (
        file(service: ", memory: 200GB"),
        #"3:40: service "web" asks for more than a Fargate task can have: at most 16 processors and 120GB"#
      ),
      (file(service: ", uses: web"), #"3:38: "uses" in service "web" must be a list, such as [a, b]"#),
      (file(service: ", uses: [web]"), #"3:39: service "web" uses itself"#),
      (
        file(service: ", env: {PORT: 1}"),
        #"3:3: the environment of service "web" would have PORT twice: from its port, "uses" and "env""#
      ),
      (
        file(rest: "buckets: {web: {}}"),
        #"4:11: the name "web" is taken, on line 3: names in "uses" must be clear"#
      ),
      (
        file(rest: "buckets: {My_Files: {}}"),
        #"4:11: "My_Files" is not a name: write lower-case letters, digits and single hyphens, at most 24, starting with a letter; did you mean "my-files"?"#
      ),
      (
        file(rest: "buckets: {a: {expire: 7days}}"),
        #"4:23: "expire" in bucket "a": "7days" is not a duration: write a whole number and s, m, h, d or w, such as 30s or 7d; did you mean "7d"?"#
      ),
      (
        file(rest: "buckets: {a: {expire: 7d, glacier: 30d}}"),
        #"4:36: bucket "a" moves objects to Glacier when they are already deleted"#
      ),
      (
        file(rest: "databases: {a: {backups: 36d}}"),
        #"4:26: "backups" in database "a" must be whole days from 1d to 35d"#
      ),
      (
        file(rest: "databases: {a: {replicas: 1-5}}"),
        #"4:27: "replicas" in database "a": "1-5" is not a range: write it such as 1..5; did you mean "1..5"?"#
      ),
      (
        file(rest: "databases: {a: {replicas: 5..1}}"),
        #"4:27: "replicas" in database "a": the range "5..1" ends before it begins; did you mean "1..5"?"#
      ),
      (
        file(rest: "databases: {a: {replicas: 20}}"),
        #"4:27: "replicas" in database "a" must be whole numbers from 0 to 15"#
      ),
      (
        file(rest: "databases: {a: {acu: 0.3..4}}"),
        #"4:22: "acu" in database "a" must be from 0.5 to 256 in steps of 0.5, ending at 1 or more"#
      ),
      (
        file(rest: "databases: {a: {engine: aurora-postgres}}"),
        #"4:25: "engine" in database "a" must be aurora-postgresql, not "aurora-postgres"; did you mean "aurora-postgresql"?"#
      ),
      (
        file(rest: "caches: {a: {shards: 0}}"),
        #"4:22: "shards" in cache "a" must be a whole number from 1 to 90, not 0"#
      ),
      (
        file(rest: "shield: {requests: 2000}"),
        #"4:20: "requests" in shield: "2000" is not a rate: write it such as 2000/5m; did you mean "2000/5m"?"#
      ),
      (
        file(rest: "shield: {connections: 0, new-connections: many, requests-per-second: 0}"),
        "4:23: \"connections\" in shield must be a whole number from 1 to 1000000, not 0\n"
          + "4:43: \"new-connections\" in shield must be a number\n"
          + "4:70: \"requests-per-second\" in shield must be from 0.01 to 10000000.0, not 0"
      ),
      (
        file(rest: "shield: {conections: 5}"),
        #"4:10: unknown key "conections" in shield; did you mean "connections"?"#
      ),
      (
        file(rest: "shield: {}"),
        "4:9: shield needs one of its keys: requests, connections, new-connections, requests-per-second"
      ),
      (
        file(rest: "shield: {requests: 2000/7m}"),
        #"4:20: "requests" in shield must be counted over 1m, 2m, 5m or 10m"#
      ),
      (
        file(rest: "vpn: {o: {peer: 1.2.3, networks: [a]}}"),
        "4:17: \"peer\" in vpn \"o\" must be an IPv4 address, not \"1.2.3\"\n"
          + "4:35: \"a\" is not a network, such as 192.168.0.0/16"
      ),
      (
        "name: shop\nservices:\n  web: { run: x }",
        #"3:8: service "web" needs the key "port": The port that the service listens on (PORT)."#
      ),
      (
        "name: shop\nservices:\n  web: { port: 80 }",
        #"3:8: service "web" needs "run" (a command) or "build" (a Dockerfile's folder)"#
      ),
      ("services: {web: {run: x, port: 1}}", #"1:1: castle.yaml needs the key "name": The application's name."#),
      ("name: [", #"2:1: this is not YAML: did not find expected node content"#),
      ("name: a\nname: b", #"1:1: the key "name" stands twice"#),
      ("", #"1:1: castle.yaml must be a map that starts with "name: …""#),
      (file(rest: "region: useast"), #"4:9: "useast" is not the name of a region, such as us-east-1"#),
    ])
  func mistakes(text: String, expected: String) {
    do {
      _ = try Blueprint.parse(text)
      Issue.record("nothing was said about \(text)")
    } catch {
      #expect(error.description == expected)
    }
  }

  @Test("all mistakes of a file are told at once, in the order of the file")
  func several() throws {
    let text = """
      name: shop
      services:
        web:
          run: ./web
          port: http
          public: { path: /, helth: /up }
          uses: [api, sesions]
        api: { run: ./api, port: 4000 }
      caches:
        sessions: { engine: valkey }
      """
    let error = #expect(throws: BlueprintError.self) { try Blueprint.parse(text) }
    #expect(error?.problems.map(\.line) == [5, 6, 7, 7, 10])
    #expect(error?.problems.map(\.suggestion) == [nil, "\"health\"", nil, "\"sessions\"", nil])
  }

  @Test("two services cannot have one path on one load balancer")
  func samePath() {
    let text = """
      name: shop
      services:
        a: { run: x, port: 1, public: { path: / } }
        b: { run: x, port: 2, public: { path: / }, internal: { path: / } }
      """
    let error = #expect(throws: BlueprintError.self) { try Blueprint.parse(text) }
    #expect(error?.description == #"4:41: the public path / of service "b" already leads to "a""#)
  }

  @Test("truncated files and noise are refused or read, never fatal")
  func noise() throws {
    let text = try Fixture.text("everything.castle.yaml")
    for length in stride(from: 0, through: text.utf8.count, by: 5) {
      let part = String(decoding: text.utf8.prefix(length), as: UTF8.self)
      _ = try? Blueprint.parse(part).template()
      // One letter lost inside.
      var bytes = Array(text.utf8)
      if length < bytes.count { bytes.remove(at: length) }
      _ = try? Blueprint.parse(String(decoding: bytes, as: UTF8.self))
    }
  }
}

@Suite("Units")
struct UnitsTests {
  @Test("are read with their meaning")
  func meaning() throws {
    #expect(try Units.duration("30s") == 30)
    #expect(try Units.duration("2w") == 1_209_600)
    #expect(try Units.megabytes("1.5GB") == 1536)
    #expect(try Units.percent("60%") == 60)
    #expect(try Units.range("0.5..16") == 0.5...16)
    #expect(try Units.range("3") == 3...3)
    #expect(try Units.rate("100/1m") == (100, 60))
  }

  @Test(
    "of another spelling are corrected",
    arguments: [("5 minutes", "5m"), ("7D", "7d"), ("90sec", "90s"), ("9999999999999999999d", nil), ("soon", nil)])
  func durations(text: String, suggestion: String?) {
    let problem = #expect(throws: UnitProblem.self) { try Units.duration(text) }
    #expect(problem?.suggestion == suggestion)
  }

  @Test("a task gets the smallest Fargate size that holds it")
  func fargate() {
    func size(_ cpu: Double, _ megabytes: Int) -> [Int]? {
      FargateSize(cpu: cpu, megabytes: megabytes).map { [$0.cpuUnits, $0.memory] }
    }
    #expect(size(0.25, 512) == [256, 512])
    #expect(size(0.25, 100) == [256, 512])
    #expect(size(0.25, 3072) == [512, 3072])
    #expect(size(0.3, 512) == [512, 1024])
    #expect(size(1, 2500) == [1024, 3072])
    #expect(size(16, 122_880) == [16384, 122_880])
    #expect(size(16, 122_881) == nil)
  }
}

@Suite("The JSON Schema of castle.yaml")
struct SchemaTests {
  @Test("has exactly the keys that the reader knows, in every section")
  func keys() throws {
    let schema = try SchemaNode.read(Blueprint.jsonSchema)
    func compare(_ node: SchemaNode, _ section: BlueprintSection) {
      #expect(node["properties"]?.keys == section.names)
      for key in section.keys {
        guard let child = node["properties"]?[key.name] else { continue }
        switch key.kind {
        case .section(let inner): compare(child, inner)
        case .named(let inner): child["additionalProperties"].map { compare($0, inner) }
        default: break
        }
      }
    }
    compare(schema, BlueprintKeys.root)
    #expect(
      schema["properties"]?["services"]?["additionalProperties"]?["properties"]?["port"]?["type"]?.text == "integer")
    #expect(schema["required"]?.texts == ["name", "services"])
  }
}
