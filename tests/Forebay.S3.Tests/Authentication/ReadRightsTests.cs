using Forebay.S3.Authentication;

namespace Forebay.S3.Tests.Authentication;

public sealed class ReadRightsTests
{
    [Fact]
    public void TheyAreThoseOfSignedRequests()
    {
        ReadRights rights = new(new S3Options
        {
            AccessKeys =
            [
                new AccessKeyOptions { Id = "all", Secret = "one" },
                new AccessKeyOptions { Id = "some", Secret = "two", Grants = [new AccessGrant("data", "train/", AccessRight.ReadOnly)] },
            ],
        });

        Assert.Equal(("one", "two", null), (rights.SecretOf("all"), rights.SecretOf("some"), rights.SecretOf("nobody")));
        Assert.True(rights.MayRead("all", "data", "x"));
        Assert.True(rights.MayRead("some", "data", "train/x"));
        Assert.False(rights.MayRead("some", "data", "test/x"));
        Assert.False(rights.MayRead("some", "other", "train/x"));
        Assert.False(rights.MayRead("nobody", "data", "train/x"));
        Assert.False(rights.MayRead(null, "data", "train/x"));
    }

    [Fact]
    public void WithoutAKeyPairTheyAreThoseOfUnsignedRequests()
        => Assert.True(new ReadRights(new S3Options { AllowAnonymous = true }).MayRead(null, "data", "x"));
}
