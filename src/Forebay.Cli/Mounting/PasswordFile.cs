using Forebay.Core;

namespace Forebay.Cli.Mounting;

/// <summary>A key pair in a file of the usual form: <c>ID:SECRET</c> or <c>BUCKET:ID:SECRET</c>, a line each, <c>#</c> begins a comment.</summary>
internal static class PasswordFile
{
    private const int MostBytes = 64 << 10;

    /// <summary>The key pair for a bucket: its own line, else the one for all.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the file cannot be used; nothing of its content is in the sentence.</exception>
    public static (string AccessKeyId, string SecretAccessKey) Read(string path, string bucket)
    {
        string text;
        try
        {
            const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
            if ((File.GetUnixFileMode(path) & Others) != UnixFileMode.None)
            {
                throw Fault(path, $"can be used by others than its owner; run 'chmod 600 {path}'");
            }

            text = new FileInfo(path).Length <= MostBytes ? File.ReadAllText(path) : throw Fault(path, "is too large to be a password file");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault(path, $"cannot be read: {e.Message}");
        }

        (string, string)? forAll = null;
        foreach (string line in text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#'))
        {
            string[] parts = line.Split(':');
            switch (parts)
            {
                case [{ Length: > 0 } id, { Length: > 0 } secret]:
                    forAll ??= (id, secret);
                    break;
                case [{ Length: > 0 } forBucket, { Length: > 0 } id, { Length: > 0 } secret]:
                    if (string.Equals(forBucket, bucket, StringComparison.Ordinal))
                    {
                        return (id, secret);
                    }

                    break;
                default:
                    throw Fault(path, "has a line that is neither ID:SECRET nor BUCKET:ID:SECRET");
            }
        }

        return forAll ?? throw Fault(path, $"has no key pair for the bucket {bucket}; add a line ID:SECRET or {bucket}:ID:SECRET");
    }

    private static ForebayException Fault(string path, string what) => new(ErrorKind.InvalidArgument, $"passwd_file: {path} {what}.");
}
