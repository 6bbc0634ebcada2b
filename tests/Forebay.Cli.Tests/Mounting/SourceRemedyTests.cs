using Forebay.Cli.Configuration;
using Forebay.Cli.Mounting;
using Forebay.Core;

namespace Forebay.Cli.Tests.Mounting;

public sealed class SourceRemedyTests
{
    private static readonly SourceUrl Bucket = new("s3", "models", "llm/");
    private static readonly SourceAccess Access = new() { Endpoint = "http://store:9000" };

    [Theory]
    [InlineData(ErrorKind.AccessDenied, "listing '' in models: the store answered 403 SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY")]
    [InlineData(ErrorKind.AccessDenied, "listing '' in models: the store answered 403 InvalidAccessKeyId", "does not know this access key id")]
    [InlineData(ErrorKind.AccessDenied, "listing '' in models: the store answered 403 AccessDenied", "rights to list")]
    [InlineData(ErrorKind.AccessDenied, "listing '' in models: the store answered 400 ExpiredToken", "new temporary credentials")]
    [InlineData(ErrorKind.AccessDenied, "the AWS credential chain gives no credentials", "For a mount: -o passwd_file")]
    [InlineData(ErrorKind.NotFound, "listing '' in models: the store answered 404 NoSuchBucket", "bucket's name (models)")]
    [InlineData(ErrorKind.Unavailable, "listing '' in models: Connection refused (store:9000)", "curl -v http://store:9000")]
    [InlineData(ErrorKind.Unavailable, "listing '' in models: the store answered 500 InternalError", "try again later")]
    [InlineData(ErrorKind.Timeout, "models did not answer a list within 10 s.", "curl -v http://store:9000")]
    [InlineData(ErrorKind.Throttled, "listing '' in models: the store answered 503 SlowDown", "higher limit")]
    public void ASourceThatCannotBeMountedIsToldWithTheNextStep(ErrorKind kind, string said, string part)
    {
        ForebayException explained = SourceRemedy.Explain(new ForebayException(kind, said), Bucket, Access);

        Assert.Equal(kind, explained.Kind);
        Assert.StartsWith(said.TrimEnd('.') + ". ", explained.Message, StringComparison.Ordinal);
        Assert.Contains(part, explained.Message, StringComparison.Ordinal);
        Assert.EndsWith(".", explained.Message.TrimEnd('\''), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(HttpRequestError.NameResolutionError, "DNS")]
    [InlineData(HttpRequestError.SecureConnectionError, "certificates")]
    public void WhatTheTransportSaysNamesTheCause(HttpRequestError cause, string part)
    {
        ForebayException error = new(ErrorKind.Unavailable, "listing failed", new HttpRequestException(cause, "x"));

        Assert.Contains(part, SourceRemedy.Explain(error, Bucket, Access).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADirectoryHasItsRemedyAlready()
    {
        ForebayException error = new(ErrorKind.NotFound, "/data is not there.");

        Assert.Same(error, SourceRemedy.Explain(error, new SourceUrl("file", "/data", ""), new SourceAccess()));
    }

    [Fact]
    public void OnlyAPrefixMayBeEmptyByMistake()
    {
        Assert.Contains("s3://models/llm/", SourceRemedy.OfEmpty(Bucket), StringComparison.Ordinal);
        Assert.Null(SourceRemedy.OfEmpty(Bucket with { Prefix = "" }));
    }
}
