// Managed policies for the roles of services, attached by hand (`service-role/`) or with a service-linked role.

extension AWSManagedPolicies {
  static let serviceRoles: [AWSManagedPolicy] = [
    .init(
      "AmazonECSTaskExecutionRolePolicy", path: "/service-role/",
      "Provides access to other AWS service resources that are required to run Amazon ECS tasks",
      """
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken",\
      "ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream",\
      "logs:PutLogEvents"],"Resource":"*"}]}
      """),
    .init(
      "AmazonEC2ContainerServiceforEC2Role", path: "/service-role/", version: "v7",
      "Default policy for the Amazon EC2 Role for Amazon EC2 Container Service.",
      """
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:DescribeTags","ecs:CreateCluster",\
      "ecs:DeregisterContainerInstance","ecs:DiscoverPollEndpoint","ecs:Poll","ecs:RegisterContainerInstance",\
      "ecs:StartTelemetrySession","ecs:UpdateContainerInstancesState","ecs:Submit*","ecr:GetAuthorizationToken",\
      "ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream",\
      "logs:PutLogEvents"],"Resource":"*"},{"Effect":"Allow","Action":"ecs:TagResource","Resource":"*","Condition":{\
      "StringEquals":{"ecs:CreateAction":["CreateCluster","RegisterContainerInstance"]}}}]}
      """),
    .init(
      "AmazonEC2ContainerServiceRole", path: "/service-role/", version: "v2",
      "Default policy for Amazon ECS service role.",
      statement([
        "ec2:AuthorizeSecurityGroupIngress", "ec2:Describe*",
        "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
        "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:Describe*",
        "elasticloadbalancing:RegisterInstancesWithLoadBalancer", "elasticloadbalancing:RegisterTargets",
      ])),
    .init(
      "AmazonEC2ContainerServiceAutoscaleRole", path: "/service-role/", version: "v2",
      "Policy to enable Task Autoscaling for Amazon EC2 Container Service",
      statement([
        "ecs:DescribeServices", "ecs:UpdateService", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm",
      ])),
    .init(
      "AWSLambdaBasicExecutionRole", path: "/service-role/", "Provides write permissions to CloudWatch Logs.",
      statement(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"])),
    .init(
      "AWSLambdaVPCAccessExecutionRole", path: "/service-role/", version: "v3",
      "Provides minimum permissions for a Lambda function to execute while accessing a resource within a VPC.",
      """
      {"Version":"2012-10-17","Statement":[{"Sid":"AWSLambdaVPCAccessExecutionPermissions","Effect":"Allow",\
      "Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents","ec2:CreateNetworkInterface",\
      "ec2:DescribeNetworkInterfaces","ec2:DescribeSubnets","ec2:DeleteNetworkInterface",\
      "ec2:AssignPrivateIpAddresses","ec2:UnassignPrivateIpAddresses"],"Resource":"*"}]}
      """),
    .init(
      "AmazonRDSEnhancedMonitoringRole", path: "/service-role/",
      "Provides access to Cloudwatch for RDS Enhanced Monitoring",
      """
      {"Version":"2012-10-17","Statement":[{"Sid":"EnableCreationAndManagementOfRDSCloudwatchLogGroups",\
      "Effect":"Allow","Action":["logs:CreateLogGroup","logs:PutRetentionPolicy"],\
      "Resource":["arn:aws:logs:*:*:log-group:RDS*"]},{\
      "Sid":"EnableCreationAndManagementOfRDSCloudwatchLogStreams","Effect":"Allow","Action":["logs:CreateLogStream",\
      "logs:PutLogEvents","logs:DescribeLogStreams","logs:GetLogEvents"],\
      "Resource":["arn:aws:logs:*:*:log-group:RDS*:log-stream:*"]}]}
      """),
    .init(
      "AWSCodeDeployRoleForECS", version: "v3",
      "Provides CodeDeploy service wide access to perform an ECS blue/green deployment on your behalf.",
      statement([
        "ecs:DescribeServices", "ecs:CreateTaskSet", "ecs:UpdateServicePrimaryTaskSet", "ecs:DeleteTaskSet",
        "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:ModifyListener", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:ModifyRule",
        "lambda:InvokeFunction", "cloudwatch:DescribeAlarms", "sns:Publish", "s3:GetObject", "s3:GetObjectVersion",
      ])),
    .init(
      "AmazonECSInfrastructureRolePolicyForVolumes", path: "/service-role/", version: "v3",
      "Provides access to other AWS service resources required to manage volumes associated with ECS workloads",
      statement([
        "ec2:CreateVolume", "ec2:CreateTags", "ec2:DescribeVolumes", "ec2:DescribeAvailabilityZones",
        "ec2:AttachVolume", "ec2:DetachVolume", "ec2:DeleteVolume", "ec2:DescribeInstances",
      ])),
  ]

  static let serviceLinked: [AWSManagedPolicy] = [
    linked(
      "AmazonECSServiceRolePolicy", "Policy to enable Amazon ECS to manage your cluster.",
      [
        "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission", "ec2:Describe*",
        "ec2:DetachNetworkInterface", "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
        "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:Describe*",
        "elasticloadbalancing:RegisterInstancesWithLoadBalancer", "elasticloadbalancing:RegisterTargets",
        "route53:ChangeResourceRecordSets", "route53:CreateHealthCheck", "route53:DeleteHealthCheck", "route53:Get*",
        "route53:List*", "route53:UpdateHealthCheck", "servicediscovery:DeregisterInstance", "servicediscovery:Get*",
        "servicediscovery:List*", "servicediscovery:RegisterInstance",
        "servicediscovery:UpdateInstanceCustomHealthStatus", "autoscaling:Describe*", "cloudwatch:DescribeAlarms",
        "logs:CreateLogStream", "logs:PutLogEvents",
      ]),
    linked(
      "AWSElasticLoadBalancingServiceRolePolicy", "Service Linked Role Policy for AWS Elastic Load Balancing.",
      [
        "ec2:DescribeAddresses", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
        "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs", "ec2:DescribeInternetGateways",
        "ec2:CreateSecurityGroup", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
        "ec2:ModifyNetworkInterfaceAttribute", "ec2:AllocateAddress", "ec2:AuthorizeSecurityGroupIngress",
        "ec2:AssociateAddress", "ec2:DisassociateAddress", "ec2:AttachNetworkInterface",
        "ec2:DetachNetworkInterface", "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery", "logs:ListLogDeliveries",
      ]),
    linked(
      "AmazonRDSServiceRolePolicy", "Allows Amazon RDS to manage AWS resources on your behalf",
      [
        "ec2:AllocateAddress", "ec2:AssociateAddress", "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateNetworkInterface", "ec2:CreateSecurityGroup", "ec2:DeleteNetworkInterface",
        "ec2:DeleteSecurityGroup", "ec2:Describe*", "ec2:ModifyNetworkInterfaceAttribute", "logs:CreateLogGroup",
        "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams", "logs:GetLogEvents",
        "cloudwatch:PutMetricData", "secretsmanager:GetRandomPassword",
      ]),
    linked(
      "ElastiCacheServiceRolePolicy",
      "This policy allows ElastiCache to manage AWS resources on your behalf as necessary for managing your cache.",
      [
        "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateNetworkInterface", "ec2:CreateSecurityGroup",
        "ec2:DeleteNetworkInterface", "ec2:DeleteSecurityGroup", "ec2:Describe*",
        "ec2:ModifyNetworkInterfaceAttribute", "ec2:RevokeSecurityGroupIngress", "cloudwatch:PutMetricData",
        "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject*",
      ]),
    linked(
      "AutoScalingServiceRolePolicy", "Enables access to AWS services and resources used or managed by Auto Scaling",
      ["ec2:Describe*", "ec2:RunInstances", "ec2:TerminateInstances", "elasticloadbalancing:*", "cloudwatch:*"]),
    linked(
      "AWSApplicationAutoscalingECSServicePolicy",
      "Policy granting permissions to Application Auto Scaling to access ECS and CloudWatch.",
      [
        "ecs:DescribeServices", "ecs:UpdateService", "cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms",
        "cloudwatch:DeleteAlarms", "cloudwatch:GetMetricData",
      ]),
    linked(
      "AWSApplicationAutoscalingRDSClusterPolicy",
      "Policy granting permissions to Application Auto Scaling to access RDS and CloudWatch.",
      [
        "rds:AddTagsToResource", "rds:CreateDBInstance", "rds:DeleteDBInstance", "rds:DescribeDBClusters",
        "rds:DescribeDBInstances", "rds:ModifyDBCluster", "rds:ListTagsForResource", "cloudwatch:PutMetricAlarm",
        "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms",
      ]),
    linked(
      "AWSApplicationAutoscalingElastiCacheRGPolicy",
      "Policy granting permissions to Application Auto Scaling to access Amazon ElastiCache and Amazon CloudWatch.",
      [
        "elasticache:DescribeReplicationGroups", "elasticache:ModifyReplicationGroupShardConfiguration",
        "elasticache:IncreaseReplicaCount", "elasticache:DecreaseReplicaCount", "elasticache:DescribeCacheClusters",
        "elasticache:DescribeCacheParameters", "cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms",
        "cloudwatch:DeleteAlarms",
      ]),
    linked(
      "ECRReplicationServiceRolePolicy", "Allows access to AWS services and resources used by ECR Replication",
      ["ecr:CreateRepository", "ecr:ReplicateImage"]),
    linked(
      "AWSShieldServiceRolePolicy", "Allows AWS Shield to access AWS resources on your behalf.",
      ["wafv2:*", "elasticloadbalancing:SetWebACL", "cloudwatch:GetMetricData"]),
    linked(
      "WAFV2LoggingServiceRolePolicy", "This policy creates a service-linked role that allows AWS WAF to write logs.",
      ["firehose:PutRecord", "firehose:PutRecordBatch", "organizations:DescribeOrganization"]),
  ]

  private static func linked(_ name: String, _ description: String, _ actions: [String]) -> AWSManagedPolicy {
    AWSManagedPolicy(name, path: "/aws-service-role/", description, statement(actions))
  }
}
