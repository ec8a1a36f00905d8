// Databases and caches.

extension ProductionTemplate {
  mutating func database(_ database: Blueprint.Database) {
    let id = database.name.logical
    let name = database.name
    out.group("The database \(name): a writer, its readers, and the login that the services are given")
    out.add(
      "\(id)Login", "AWS::SecretsManager::Secret",
      [
        ("Description", .sub("The login of the database \(name) of ${AWS::StackName}")),
        (
          "GenerateSecretString",
          [
            "SecretStringTemplate": "{\"username\": \"castle\"}", "GenerateStringKey": "password",
            "PasswordLength": 40, "ExcludePunctuation": true,
          ]
        ),
        ("KmsKeyId", .ref("Key")),
      ])
    out.add(
      "\(id)Subnets", "AWS::RDS::DBSubnetGroup",
      [
        ("DBSubnetGroupDescription", .text("The isolated subnets of the database \(name)")),
        ("SubnetIds", [.ref("DataSubnetA"), .ref("DataSubnetB")]),
      ])
    out.add(
      "\(id)Cluster", "AWS::RDS::DBCluster",
      [
        ("Engine", .text(database.engine.rawValue)), ("EngineVersion", "15.15"),
        ("DatabaseName", .text(name.underscored)),
        ("MasterUsername", login(id, "username")), ("MasterUserPassword", login(id, "password")),
        (
          "ServerlessV2ScalingConfiguration",
          [
            "MinCapacity": .decimal(database.acu.lowerBound), "MaxCapacity": .decimal(database.acu.upperBound),
          ]
        ),
        ("DBSubnetGroupName", .ref("\(id)Subnets")),
        ("VpcSecurityGroupIds", [.attribute("\(id)SecurityGroup", "GroupId")]), ("Port", 5432),
        ("StorageEncrypted", true), ("KmsKeyId", .attribute("Key", "Arn")),
        ("BackupRetentionPeriod", .number(database.backupDays)), ("CopyTagsToSnapshot", true),
      ],
      .init(deletionPolicy: "Snapshot"))
    out.add(
      "\(id)LoginAttachment", "AWS::SecretsManager::SecretTargetAttachment",
      [
        ("SecretId", .ref("\(id)Login")), ("TargetId", .ref("\(id)Cluster")),
        ("TargetType", "AWS::RDS::DBCluster"),
      ])
    instance("\(id)Writer", cluster: id, engine: database.engine.rawValue, tier: 0, after: [])
    for number in 0..<database.replicas.lowerBound {
      // The first instance of a cluster becomes its writer, so the readers come after it.
      instance(
        "\(id)Reader\(number + 1)", cluster: id, engine: database.engine.rawValue, tier: 1, after: ["\(id)Writer"])
    }
    urlSecret(
      id, "The URL of the database \(name)",
      .sub(
        "postgresql://{{resolve:secretsmanager:${\(id)Login}:SecretString:username}}:"
          + "{{resolve:secretsmanager:${\(id)Login}:SecretString:password}}"
          + "@${\(id)Cluster.Endpoint.Address}:${\(id)Cluster.Endpoint.Port}/\(name.underscored)"))
    if database.replicas.upperBound > database.replicas.lowerBound { readerScaling(database) }
    out.output("\(id)Endpoint", "The writer of \(name)", .attribute("\(id)Cluster", "Endpoint.Address"))
    out.output("\(id)ReadEndpoint", "The readers of \(name)", .attribute("\(id)Cluster", "ReadEndpoint.Address"))
    out.output("\(id)LoginArn", "The login of \(name)", .ref("\(id)Login"))
  }

  private func login(_ id: String, _ key: String) -> Piece {
    .sub("{{resolve:secretsmanager:${\(id)Login}:SecretString:\(key)}}")
  }

  private mutating func instance(_ id: String, cluster: String, engine: String, tier: Int, after: [String]) {
    out.add(
      id, "AWS::RDS::DBInstance",
      [
        ("DBClusterIdentifier", .ref("\(cluster)Cluster")), ("DBInstanceClass", "db.serverless"),
        ("Engine", .text(engine)), ("PromotionTier", .number(tier)), ("PubliclyAccessible", false),
      ],
      .init(dependsOn: after))
  }

  /// A secret that holds a whole URL with its password, for the programs that want one variable.
  private mutating func urlSecret(_ id: String, _ description: String, _ url: Piece) {
    out.add(
      "\(id)Url", "AWS::SecretsManager::Secret",
      [("Description", .sub(description + " of ${AWS::StackName}")), ("KmsKeyId", .ref("Key")), ("SecretString", url)],
      .init(metadata: ["Castle": ["Note": "Made from the login when the stack is updated: update it after a rotation"]])
    )
  }

  private mutating func readerScaling(_ database: Blueprint.Database) {
    let id = database.name.logical
    out.add(
      "\(id)ReaderScaling", "AWS::ApplicationAutoScaling::ScalableTarget",
      [
        ("ServiceNamespace", "rds"), ("ScalableDimension", "rds:cluster:ReadReplicaCount"),
        ("ResourceId", .sub("cluster:${\(id)Cluster}")),
        ("MinCapacity", .number(database.replicas.lowerBound)),
        ("MaxCapacity", .number(database.replicas.upperBound)),
      ],
      .init(dependsOn: ["\(id)Writer"]))
    out.add(
      "\(id)ReaderScalingByCpu", "AWS::ApplicationAutoScaling::ScalingPolicy",
      [
        ("PolicyName", .sub("${AWS::StackName}-\(database.name)-readers-cpu")), ("PolicyType", "TargetTrackingScaling"),
        ("ScalingTargetId", .ref("\(id)ReaderScaling")),
        (
          "TargetTrackingScalingPolicyConfiguration",
          [
            "PredefinedMetricSpecification": ["PredefinedMetricType": "RDSReaderAverageCPUUtilization"],
            "TargetValue": 60, "ScaleInCooldown": 300, "ScaleOutCooldown": 60,
          ]
        ),
      ])
  }

  mutating func cache(_ cache: Blueprint.Cache) {
    let id = cache.name.logical
    out.group("The cache \(cache.name)")
    out.add(
      "\(id)Token", "AWS::SecretsManager::Secret",
      [
        ("Description", .sub("The token of the cache \(cache.name) of ${AWS::StackName}")),
        ("GenerateSecretString", ["PasswordLength": 64, "ExcludePunctuation": true]), ("KmsKeyId", .ref("Key")),
      ])
    out.add(
      "\(id)Subnets", "AWS::ElastiCache::SubnetGroup",
      [
        ("Description", .text("The isolated subnets of the cache \(cache.name)")),
        ("SubnetIds", [.ref("DataSubnetA"), .ref("DataSubnetB")]),
      ])
    let parameters = cache.shards > 1 ? "default.redis7.cluster.on" : "default.redis7"
    out.add(
      "\(id)Cache", "AWS::ElastiCache::ReplicationGroup",
      [
        ("ReplicationGroupDescription", .sub("The cache \(cache.name) of ${AWS::StackName}")),
        ("Engine", .text(cache.engine.rawValue)), ("EngineVersion", "7.1"), ("CacheNodeType", "cache.t4g.small"),
        ("CacheParameterGroupName", .text(parameters)), ("NumNodeGroups", .number(cache.shards)),
        ("ReplicasPerNodeGroup", .number(cache.replicas)),
        ("AutomaticFailoverEnabled", .flag(cache.replicas > 0 || cache.shards > 1)),
        ("MultiAZEnabled", .flag(cache.replicas > 0)), ("Port", 6379),
        ("CacheSubnetGroupName", .ref("\(id)Subnets")),
        ("SecurityGroupIds", [.attribute("\(id)SecurityGroup", "GroupId")]),
        ("AuthToken", .sub("{{resolve:secretsmanager:${\(id)Token}:SecretString}}")),
        ("TransitEncryptionEnabled", true), ("AtRestEncryptionEnabled", true), ("KmsKeyId", .ref("Key")),
        ("SnapshotRetentionLimit", 7),
      ],
      .init(deletionPolicy: "Snapshot"))
    let endpoint = cache.endpointAttribute
    let url: Piece = .call(
      "Sub",
      [
        .text(
          "${Scheme}://:{{resolve:secretsmanager:${\(id)Token}:SecretString}}"
            + "@${\(id)Cache.\(endpoint).Address}:${\(id)Cache.\(endpoint).Port}"),
        ["Scheme": .choose("OnCastle", "redis", "rediss")],
      ])
    urlSecret(id, "The URL of the cache \(cache.name)", url)
    out.output("\(id)Endpoint", "The cache \(cache.name)", .attribute("\(id)Cache", "\(endpoint).Address"))
  }
}
