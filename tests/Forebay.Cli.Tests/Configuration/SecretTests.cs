using Forebay.Cli.Configuration;
using Forebay.Cli.Serve;

namespace Forebay.Cli.Tests.Configuration;

public sealed class SecretTests : IDisposable
{
    private readonly Loading _loading = new();

    public void Dispose() => _loading.Dispose();

    [Fact]
    public void NoRecordPrintsASecret()
    {
        ForebayConfiguration configuration = _loading
            .Yaml("""
                version: 1
                mounts:
                  data: {source: "s3://b", access-key-id: A, secret-access-key: topsecret-1, session-token: topsecret-2}
                keys:
                  - {access-key-id: K, secret-access-key: topsecret-3}
                admin: {token: topsecret-4-that-is-long}
                """)
            .Good();

        string printed = string.Join('\n', (object[])[configuration, configuration.Mounts[0], configuration.Mounts[0].Access, configuration.Keys[0], configuration.Admin]);

        Assert.DoesNotContain("topsecret", printed, StringComparison.Ordinal);
        Assert.Contains("***", printed, StringComparison.Ordinal);
        Assert.Equal("topsecret-4-that-is-long", configuration.Admin.Token!.Reveal());
    }

    [Fact]
    public void ASecretIsReadFromItsFileWithoutTheLineEnd()
    {
        File.WriteAllText(Path.Combine(_loading.Directory, "key"), "topsecret\n");

        ForebayConfiguration configuration = _loading.Yaml("version: 1\nmounts: {data: {source: s3://b, access-key-id: A, secret-access-key-file: key}}\n").Good();

        Assert.Equal("topsecret", configuration.Mounts[0].Access.SecretAccessKey!.Reveal());
    }

    [Fact]
    public void ASecretFileThatIsMissingOrEmptyIsNamed()
    {
        File.WriteAllText(Path.Combine(_loading.Directory, "blank"), "  \n");

        string faults = _loading.Yaml("version: 1\nmounts: {data: file:///x}\nadmin:\n  token-file: blank\nkeys:\n  - access-key-id: A\n    secret-access-key-file: nowhere\n").Bad();

        Assert.Contains($"admin.token-file: {_loading.Directory}/blank is empty.", faults, StringComparison.Ordinal);
        Assert.Contains($"keys[0].secret-access-key-file: {_loading.Directory}/nowhere cannot be read;", faults, StringComparison.Ordinal);
    }

    [Fact]
    public void AShortTokenIsAFaultWithItsLineAndIsNotQuoted()
    {
        string faults = _loading.Yaml("version: 1\nmounts: {data: file:///x}\nadmin:\n  token: topsecret\n").Bad();

        Assert.Equal("forebay.yaml:4: admin.token is shorter than 16 characters; take a longer one, for instance from 'openssl rand -hex 16'.", faults);
    }

    [Fact]
    public void ASecretGivenTwiceInTheFileIsAFaultThatHidesBoth()
    {
        File.WriteAllText(Path.Combine(_loading.Directory, "token"), "topsecret-file-of-enough");

        string faults = _loading.Yaml("version: 1\nmounts: {data: file:///x}\nadmin: {token: topsecret-of-enough, token-file: token}\n").Bad();

        Assert.Equal("forebay.yaml:3: admin.token-file: give either token or token-file, not both.", faults);
    }

    [Fact]
    public void AFileWithSecretsThatOthersMayReadIsWarnedOf()
    {
        _loading.Yaml("version: 1\nmounts: {data: file:///x}\nadmin: {token: topsecret-of-enough}\n");
        File.SetUnixFileMode(Path.Combine(_loading.Directory, "forebay.yaml"), UnixFileMode.UserRead | UnixFileMode.OtherRead);

        Assert.Equal("forebay.yaml: the file holds secrets and others may read it; run: chmod 600 forebay.yaml", Assert.Single(_loading.Load().Warnings).ToString());
    }

    [Fact]
    public void AGeneratedKeyIsNewEachTimeAndOnlyMadeWhenThereIsNone()
    {
        ForebayConfiguration none = _loading.Flags(mounts: ["data=file:///x"]).Good();
        KeyConfiguration first = GeneratedKey.AddTo(none).Generated!;
        (ForebayConfiguration withKey, KeyConfiguration? second) = GeneratedKey.AddTo(none);

        Assert.NotEqual(first.SecretAccessKey, second!.SecretAccessKey);
        Assert.Equal(40, first.SecretAccessKey!.Reveal().Length);
        Assert.Null(GeneratedKey.AddTo(withKey).Generated);
    }
}
