using Xunit;

namespace Forebay.Core.Tests;

public sealed class ObjectVersionTests
{
    private static readonly UnderStoreId Store = UnderStoreId.From("s3", "https://s3.amazonaws.com", "bucket");

    private static readonly ObjectVersion Version = new(Store, "key", new VersionToken("\"etag\""), 7);

    [Fact]
    public void TheIdFollowsFromAllFourParts()
    {
        ObjectVersion[] others =
        [
            new(UnderStoreId.From("s3", "https://s3.amazonaws.com", "other"), "key", Version.Token, 7),
            new(Store, "Key", Version.Token, 7),
            new(Store, "key", new VersionToken("\"other\""), 7),
            new(Store, "key", Version.Token, 8),
        ];

        Assert.Equal(Version, new ObjectVersion(Store, "key", new VersionToken("\"etag\""), 7));
        Assert.Equal(Version.Id, new ObjectVersion(Store, "key", new VersionToken("\"etag\""), 7).Id);
        Assert.Equal(5, others.Append(Version).Select(version => version.Id).Distinct().Count());
    }

    [Fact]
    public void PartsCannotFlowIntoEachOther()
    {
        ObjectVersion x = new(Store, "ab", new VersionToken("c"), 7);
        ObjectVersion y = new(Store, "a", new VersionToken("bc"), 7);

        Assert.NotEqual(x.Id, y.Id);
    }

    [Fact]
    public void TheIdSurvivesItsBytes()
    {
        Assert.Equal(Version.Id, VersionId.FromBytes(Version.Id.ToByteArray()));
        Assert.Equal(Convert.ToHexStringLower(Version.Id.ToByteArray()), Version.Id.ToString());
    }

    /// <summary>Ids are on disk: this value must never change without a new format version.</summary>
    [Fact]
    public void TheIdIsStable()
    {
        byte[] expected = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{Store.Value}\0key\0\"etag\"\07"))[..16];

        Assert.Equal(Convert.ToHexStringLower(expected), Version.Id.ToString());
    }

    [Fact]
    public void NegativeLengthsAreBugs() => Assert.Throws<ArgumentOutOfRangeException>(() => new ObjectVersion(Store, "key", Version.Token, -1));
}
