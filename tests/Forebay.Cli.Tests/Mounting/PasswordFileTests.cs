using Forebay.Cli.Mounting;
using Forebay.Core;
using Forebay.Testing;

namespace Forebay.Cli.Tests.Mounting;

public sealed class PasswordFileTests
{
    [Theory]
    [InlineData("id:secret\n", "id", "secret")]
    [InlineData("# ours\n\nother:no:no\nbucket:id2:secret2\nid:secret\n", "id2", "secret2")]
    [InlineData("other:no:no\nid:secret", "id", "secret")]
    public void TheLineOfTheBucketWins(string text, string id, string secret) => Assert.Equal((id, secret), Read(text, UnixFileMode.UserRead));

    [Theory]
    [InlineData("id:hunter2", UnixFileMode.UserRead | UnixFileMode.GroupRead, "chmod 600")]
    [InlineData("id:hunter2", UnixFileMode.UserRead | UnixFileMode.OtherRead, "chmod 600")]
    [InlineData("hunter2", UnixFileMode.UserRead, "ID:SECRET")]
    [InlineData("other:id:hunter2", UnixFileMode.UserRead, "bucket")]
    public void AFileThatCannotBeUsedIsRefusedWithoutItsContent(string text, UnixFileMode mode, string part)
    {
        ForebayException error = Assert.Throws<ForebayException>(() => Read(text, mode));

        Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingFileIsNamed() => Assert.Contains("/not/there", Assert.Throws<ForebayException>(() => PasswordFile.Read("/not/there", "b")).Message, StringComparison.Ordinal);

    private static (string, string) Read(string text, UnixFileMode mode)
    {
        using TempDirectory directory = new();
        File.WriteAllText(directory["passwd"], text);
        File.SetUnixFileMode(directory["passwd"], mode);
        return PasswordFile.Read(directory["passwd"], "bucket");
    }
}
