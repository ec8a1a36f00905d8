// The cluster, and for each service its logs, roles, task definition, service and scaling.

extension ProductionTemplate {
  mutating func cluster() {
    out.group("The cluster")
    out.add(
      "Cluster", "AWS::ECS::Cluster",
      [
        ("ClusterName", .ref("AWS::StackName")),
        ("ClusterSettings", [["Name": "containerInsights", "Value": "enabled"]]),
      ])
  }

  mutating func service(_ service: Blueprint.Service) {
    let id = service.name.logical
    let wiring = Wiring(blueprint, service)
    out.group("The service \(service.name)")
    out.add(
      "\(id)Logs", "AWS::Logs::LogGroup",
      [
        ("LogGroupName", .sub("/castle/${AWS::StackName}/\(service.name)")), ("RetentionInDays", 30),
        ("KmsKeyId", .attribute("Key", "Arn")),
      ],
      .init(deletionPolicy: "Delete"))
    executionRole(service)
    taskRole(service)
    taskDefinition(service, wiring)
    ecsService(service)
    if service.scale.max > service.scale.min { scaling(service) }
    out.output("\(id)ServiceName", "The ECS service \(service.name)", .attribute("\(id)Service", "Name"))
  }

  // MARK: - Roles

  private var tasksMayAssume: Piece {
    policyDocument([
      ["Effect": "Allow", "Principal": ["Service": "ecs-tasks.amazonaws.com"], "Action": "sts:AssumeRole"]
    ])
  }

  /// What ECS needs to start a task: its image, its log group, its secrets.
  private mutating func executionRole(_ service: Blueprint.Service) {
    let id = service.name.logical
    var statements = [
      allow(["logs:CreateLogStream", "logs:PutLogEvents"], on: [.attribute("\(id)Logs", "Arn")]),
      allow(["ecr:GetAuthorizationToken"], on: ["*"]),
      allow(
        ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        on: [.sub("arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/*")]),
    ]
    let secrets = secretIds(of: service)
    if !secrets.isEmpty {
      statements.append(allow(["secretsmanager:GetSecretValue"], on: secrets.map { .ref($0) }))
      statements.append(allow(["kms:Decrypt"], on: [.attribute("Key", "Arn")]))
    }
    out.add(
      "\(id)ExecutionRole", "AWS::IAM::Role",
      [
        ("Description", .text("Starts tasks of \(service.name)")), ("AssumeRolePolicyDocument", tasksMayAssume),
        ("Policies", [["PolicyName": "start", "PolicyDocument": policyDocument(statements)]]),
      ])
  }

  /// The secrets that ECS puts into a service's environment.
  private func secretIds(of service: Blueprint.Service) -> [String] {
    service.uses.flatMap { use -> [String] in
      let id = use.logical
      if blueprint.databases.contains(where: { $0.name == use }) { return ["\(id)Login", "\(id)Url"] }
      if blueprint.caches.contains(where: { $0.name == use }) { return ["\(id)Token", "\(id)Url"] }
      if blueprint.secrets.contains(where: { $0.name == use }) { return ["\(id)Secret"] }
      return []
    }
  }

  /// What the program itself may do.
  private mutating func taskRole(_ service: Blueprint.Service) {
    let buckets = blueprint.buckets.filter { service.uses.contains($0.name) }.map { "\($0.name.logical)Bucket" }
    let secrets = blueprint.secrets.filter { service.uses.contains($0.name) }.map { "\($0.name.logical)Secret" }
    var statements: [Piece] = []
    if !buckets.isEmpty {
      statements.append(
        allow(["s3:GetBucketLocation", "s3:ListBucket"], on: buckets.map { .attribute($0, "Arn") }))
      statements.append(
        allow(
          [
            "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts",
            "s3:PutObject",
          ],
          on: buckets.map { .sub("${\($0).Arn}/*") }))
    }
    if !secrets.isEmpty {
      statements.append(
        allow(["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], on: secrets.map { .ref($0) }))
    }
    if !buckets.isEmpty {
      statements.append(allow(["kms:Decrypt", "kms:GenerateDataKey"], on: [.attribute("Key", "Arn")]))
    } else if !secrets.isEmpty {
      statements.append(allow(["kms:Decrypt"], on: [.attribute("Key", "Arn")]))
    }
    var properties: [(String, Piece)] = [
      ("Description", .text("What \(service.name) may do")), ("AssumeRolePolicyDocument", tasksMayAssume),
    ]
    if !statements.isEmpty {
      properties.append(("Policies", [["PolicyName": "uses", "PolicyDocument": policyDocument(statements)]]))
    }
    out.add("\(service.name.logical)TaskRole", "AWS::IAM::Role", properties)
  }

  // MARK: - Tasks

  private mutating func taskDefinition(_ service: Blueprint.Service, _ wiring: Wiring) {
    let id = service.name.logical
    // The reader has refused sizes that Fargate does not have.
    let size = FargateSize(cpu: service.cpu, megabytes: service.memoryMegabytes)
    let registry = "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}"
    var container: [(String, Piece)] = [
      ("Name", .text(service.name)), ("Image", .sub("\(registry)/${\(id)Image}")), ("Essential", true),
      ("PortMappings", [["ContainerPort": .number(service.port), "Protocol": "tcp"]]),
      (
        "Environment",
        .list(
          wiring.variables.filter { $0.source == .environment }.map { ["Name": .text($0.name), "Value": $0.value] })
      ),
    ]
    let secrets = wiring.variables.filter { $0.source == .secret }
    if !secrets.isEmpty {
      container.append(("Secrets", .list(secrets.map { ["Name": .text($0.name), "ValueFrom": $0.value] })))
    }
    container.append(
      (
        "LogConfiguration",
        [
          "LogDriver": "awslogs",
          "Options": [
            "awslogs-group": .ref("\(id)Logs"), "awslogs-region": .ref("AWS::Region"), "awslogs-stream-prefix": "task",
          ],
        ]
      ))
    container.append(("StopTimeout", 30))
    if let run = service.run {
      container.append(("DockerLabels", ["castle.run": .text(run), "castle.directory": .ref("CastleDirectory")]))
    }
    out.add(
      "\(id)TaskDefinition", "AWS::ECS::TaskDefinition",
      [
        ("Family", .sub("${AWS::StackName}-\(service.name)")), ("RequiresCompatibilities", ["FARGATE"]),
        ("NetworkMode", "awsvpc"), ("Cpu", .text(String(size?.cpuUnits ?? 256))),
        ("Memory", .text(String(size?.memory ?? 512))),
        ("ExecutionRoleArn", .attribute("\(id)ExecutionRole", "Arn")),
        ("TaskRoleArn", .attribute("\(id)TaskRole", "Arn")), ("ContainerDefinitions", [.map(container)]),
      ])
  }

  private mutating func ecsService(_ service: Blueprint.Service) {
    let id = service.name.logical
    let kinds = (service.publicRoute == nil ? [] : ["Public"]) + (service.internalRoute == nil ? [] : ["Internal"])
    var properties: [(String, Piece)] = [
      ("ServiceName", .text(service.name)), ("Cluster", .ref("Cluster")),
      ("TaskDefinition", .ref("\(id)TaskDefinition")), ("DesiredCount", .number(service.scale.min)),
      ("LaunchType", "FARGATE"),
      (
        "DeploymentConfiguration",
        [
          "MinimumHealthyPercent": 100, "MaximumPercent": 200,
          "DeploymentCircuitBreaker": ["Enable": true, "Rollback": true],
        ]
      ),
      (
        "NetworkConfiguration",
        [
          "AwsvpcConfiguration": [
            "AssignPublicIp": "DISABLED", "SecurityGroups": [.attribute("\(id)SecurityGroup", "GroupId")],
            "Subnets": [.ref("PrivateSubnetA"), .ref("PrivateSubnetB")],
          ]
        ]
      ),
    ]
    if !kinds.isEmpty {
      properties.append(("HealthCheckGracePeriodSeconds", 60))
      properties.append(
        (
          "LoadBalancers",
          .list(
            kinds.map {
              [
                "ContainerName": .text(service.name), "ContainerPort": .number(service.port),
                "TargetGroupArn": .ref("\(id)\($0)Targets"),
              ]
            })
        ))
    }
    properties.append(("PropagateTags", "SERVICE"))
    // Tasks need their way out, their load balancer's rule and a database that answers.
    let databases = blueprint.databases.filter { service.uses.contains($0.name) }.map { "\($0.name.logical)Writer" }
    out.add(
      "\(id)Service", "AWS::ECS::Service", properties,
      .init(dependsOn: ["PrivateRouteA", "PrivateRouteB"] + kinds.map { entrance($0, service) } + databases))
  }

  // MARK: - Scaling

  private mutating func scaling(_ service: Blueprint.Service) {
    let id = service.name.logical
    out.add(
      "\(id)Scaling", "AWS::ApplicationAutoScaling::ScalableTarget",
      [
        ("ServiceNamespace", "ecs"), ("ScalableDimension", "ecs:service:DesiredCount"),
        ("ResourceId", .sub("service/${Cluster}/${\(id)Service.Name}")),
        ("MinCapacity", .number(service.scale.min)), ("MaxCapacity", .number(service.scale.max)),
      ])
    if let percent = service.scale.cpuPercent {
      scalingPolicy(
        service, "Cpu", ["PredefinedMetricType": "ECSServiceAverageCPUUtilization"], target: percent)
    }
    if let requests = service.scale.requests {
      let kind = service.publicRoute == nil ? "Internal" : "Public"
      let label = "${\(kind)LoadBalancer.LoadBalancerFullName}/${\(id)\(kind)Targets.TargetGroupFullName}"
      scalingPolicy(
        service, "Requests", ["PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": .sub(label)],
        target: requests)
    }
  }

  private mutating func scalingPolicy(_ service: Blueprint.Service, _ word: String, _ metric: Piece, target: Int) {
    let id = service.name.logical
    out.add(
      "\(id)ScalingBy\(word)", "AWS::ApplicationAutoScaling::ScalingPolicy",
      [
        ("PolicyName", .sub("${AWS::StackName}-\(service.name)-\(word.lowercased())")),
        ("PolicyType", "TargetTrackingScaling"), ("ScalingTargetId", .ref("\(id)Scaling")),
        (
          "TargetTrackingScalingPolicyConfiguration",
          [
            "PredefinedMetricSpecification": metric, "TargetValue": .number(target), "ScaleInCooldown": 120,
            "ScaleOutCooldown": 30,
          ]
        ),
      ])
  }
}
