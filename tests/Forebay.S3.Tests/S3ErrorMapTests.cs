using Forebay.Core;

namespace Forebay.S3.Tests;

public sealed class S3ErrorMapTests
{
    [Fact]
    public void EveryKindOfErrorHasAnAnswer()
    {
        foreach (ErrorKind kind in Enum.GetValues<ErrorKind>())
        {
            S3Error? error = S3ErrorMap.From(kind);

            Assert.Equal(kind == ErrorKind.Canceled, error is null);
            Assert.True(error is null or { Status: >= 400 and < 600 }, $"{kind} maps to {error}");
        }
    }

    [Theory]
    [InlineData(ErrorKind.NotFound, "NoSuchKey", 404)]
    [InlineData(ErrorKind.StaleVersion, "PreconditionFailed", 412)]
    [InlineData(ErrorKind.ReadOnly, "AccessDenied", 403)]
    [InlineData(ErrorKind.NotSupported, "NotImplemented", 501)]
    [InlineData(ErrorKind.InvalidRange, "InvalidRange", 416)]
    [InlineData(ErrorKind.Throttled, "SlowDown", 503)]
    [InlineData(ErrorKind.Timeout, "ServiceUnavailable", 503)]
    [InlineData(ErrorKind.Corrupt, "InternalError", 500)]
    public void KindsMapToTheCodesOfS3(ErrorKind kind, string code, int status)
    {
        S3Error error = S3ErrorMap.From(kind)!;

        Assert.Equal((code, status), (error.Code, error.Status));
    }
}
