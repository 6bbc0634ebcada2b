using System.Globalization;
using System.Security.Cryptography;
using Forebay.Core;
using Forebay.DataPlane.Wire;
using Forebay.Engine;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane;

/// <summary>One mount, as its node sees it. A thread of its own receives; what must ask the source is answered later, from the pool.</summary>
internal sealed class LenderConnection : IDisposable
{
    /// <summary>Questions of one mount that are worked on at the same time; a mount that asks more breaks the protocol.</summary>
    internal const int MostQuestions = 128;

    private static readonly TimeSpan AttachPatience = TimeSpan.FromSeconds(5);

    private readonly LendingSocket _socket;
    private readonly FileLenderOptions _options;
    private readonly LoanBook _book;
    private readonly LenderLog _log;
    private readonly Action<LenderConnection> _ended;
    private readonly CancellationTokenSource _lifetime = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, FileSegment> _loans = [];

    /// <summary>The thread, and each question that is worked on in the pool.</summary>
    private readonly CountdownEvent _workers = new(1);

    private IFileMountPoint? _mount;
    private string? _accessKeyId;
    private bool _isEnded;

    internal LenderConnection(LendingSocket socket, FileLenderOptions options, LoanBook book, LenderLog log, Action<LenderConnection> ended)
    {
        _socket = socket;
        _options = options;
        _book = book;
        _log = log;
        _ended = ended;
    }

    /// <summary>Begins. False when this process can start no thread now, which takes descriptors, too: it has ended then, and its mount comes back.</summary>
    internal bool TryStart()
    {
        try
        {
            new Thread(Run) { IsBackground = true, Name = "lend" }.Start();
            return true;
        }
        catch (OutOfMemoryException)
        {
            Dispose();
            _workers.Signal();
            _ended(this);
            return false;
        }
    }

    /// <summary>Waits until it asks the node nothing any more, which is soon after it was disposed. Only for one that was to be started, and not for its own thread.</summary>
    internal void Join() => _workers.Wait();

    /// <summary>Ends it, from whichever side: loans are taken back, the thread leaves.</summary>
    public void Dispose()
    {
        _socket.Shutdown();
        Settle();
        _socket.Dispose();
    }

    private void Run()
    {
        try
        {
            Serve();
        }
        catch (MalformedLendingException e)
        {
            _log.Malformed(e.Message);
        }
        catch (Exception e)
        {
            // Nothing above this thread would see it, and a mount must not end its node.
            _log.Failed(e);
        }
        finally
        {
            Dispose();
            _workers.Signal();
            _workers.Wait();
            _ended(this);
        }
    }

    private void Serve()
    {
        Span<byte> buffer = stackalloc byte[LendingMessage.MaxBytes];
        if (!Attach(buffer))
        {
            return;
        }

        while (true)
        {
            int length = _socket.Receive(buffer, out SafeFileHandle? unwanted);
            unwanted?.Dispose();
            if (length == 0)
            {
                return;
            }

            LendingReader message = new(buffer[..length]);
            switch (message.Kind)
            {
                case LendingMessageKind.Borrow:
                    ulong loan = message.Number();
                    long bytes = (long)message.Number();
                    string key = message.Text();
                    string etag = message.Text();
                    message.End();
                    Lend(loan, key, etag, bytes);
                    break;
                case LendingMessageKind.Return:
                    ulong returned = message.Number();
                    message.End();
                    TakeBack(returned);
                    break;
                default:
                    throw new MalformedLendingException($"a message of kind {(int)message.Kind} came from a mount");
            }
        }
    }

    /// <summary>Challenges the mount and looks at its answer; false when it may not go on.</summary>
    private bool Attach(Span<byte> buffer)
    {
        Span<byte> challenge = stackalloc byte[LendingMessage.ChallengeBytes];
        RandomNumberGenerator.Fill(challenge);
        LendingMessage hello = new(buffer, LendingMessageKind.Hello);
        hello.Raw(_options.NodeId.ToByteArray());
        hello.Raw(challenge);
        if (!_socket.TrySend(hello.Bytes))
        {
            return false;
        }

        _socket.SetPatience(AttachPatience);
        int length = _socket.Receive(buffer, out SafeFileHandle? unwanted);
        unwanted?.Dispose();
        if (length == 0)
        {
            return false;
        }

        LendingReader message = new(buffer[..length]);
        message.Expect(LendingMessageKind.Attach);
        ReadOnlySpan<byte> proof = message.Raw(LendingMessage.ProofBytes);
        string accessKeyId = message.Text();
        string name = message.Text();
        message.End();
        bool isProved = IsProved(accessKeyId, name, challenge, proof);
        _mount = isProved ? _options.Find(name) : null;
        _accessKeyId = accessKeyId.Length == 0 ? null : accessKeyId;
        LendingMessage answer = new(buffer, LendingMessageKind.Attached);
        answer.Outcome(_mount is null ? LendingOutcome.Refused : LendingOutcome.Lent);
        if (_mount is null)
        {
            _log.Refused(name);
        }

        _socket.SetPatience(TimeSpan.Zero);
        return _socket.TrySend(answer.Bytes) && _mount is not null;
    }

    /// <summary>True when the key pair is known and the proof right; without a key pair there is nothing to prove, and its rights are asked for each object.</summary>
    private bool IsProved(string accessKeyId, string name, ReadOnlySpan<byte> challenge, ReadOnlySpan<byte> proof)
    {
        if (accessKeyId.Length == 0)
        {
            return true;
        }

        Span<byte> expected = stackalloc byte[LendingMessage.ProofBytes];
        string? secret = _options.SecretOf(accessKeyId);
        LendingProof.Compute(secret ?? "none", _options.NodeId, challenge, accessKeyId, name, expected);
        return CryptographicOperations.FixedTimeEquals(expected, proof) && secret is not null;
    }

    private void Lend(ulong loan, string key, string etag, long length)
    {
        if (!_options.MayRead(_accessKeyId, _mount!.Name, key))
        {
            Answer(loan, LendingOutcome.Refused);
            return;
        }

        if (key.Length == 0 || length <= 0)
        {
            throw new MalformedLendingException("an object without a name or without bytes was to be lent");
        }

        if (_mount.TryResolve(key, NameDetail.Listed, out ResolvedName known))
        {
            Lend(loan, known.Object, etag, length);
            return;
        }

        // The thread is one of them.
        if (_workers.CurrentCount > MostQuestions)
        {
            throw new MalformedLendingException($"a mount has asked more than {MostQuestions} questions at a time");
        }

        _workers.AddCount();
        _ = AskAndLendAsync(loan, key, etag, length);
    }

    /// <summary>What is known of the name has expired, or nothing is: the source is asked as for a request.</summary>
    private async Task AskAndLendAsync(ulong loan, string key, string etag, long length)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            ResolvedName known = await _mount!.ResolveAsync(key, NameDetail.Listed, requestId: null, _lifetime.Token);
            Lend(loan, known.Object, etag, length);
        }
        catch (Exception e)
        {
            if (e is not (ForebayException or OperationCanceledException))
            {
                _log.Failed(e);
            }

            Answer(loan, LendingOutcome.Failed);
        }
        finally
        {
            _workers.Signal();
        }
    }

    private void Lend(ulong loan, ObjectStat? current, string etag, long length)
    {
        if (current is null || current.Length != length || !string.Equals(current.ETag, etag, StringComparison.Ordinal))
        {
            Answer(loan, LendingOutcome.OtherVersion);
            return;
        }

        if (!_mount!.TryTakeWhole(current, out FileSegment file))
        {
            Answer(loan, LendingOutcome.NotWhole);
            return;
        }

        if (!_book.TryAdd(file))
        {
            file.Dispose();
            Answer(loan, LendingOutcome.Full);
            return;
        }

        // A descriptor of its own, opened anew: the cache's own can write.
        using SafeFileHandle readOnly = new(Native.Open(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file.File!.DangerousGetHandle()}"), Native.CloseOnExec, 0), ownsHandle: true);
        if (readOnly.IsInvalid || !TryNote(loan, file))
        {
            GiveUp(file);
            Answer(loan, LendingOutcome.Failed);
            return;
        }

        Answer(loan, LendingOutcome.Lent, readOnly);
    }

    private bool TryNote(ulong loan, in FileSegment file)
    {
        lock (_lock)
        {
            return !_isEnded && _loans.TryAdd(loan, file);
        }
    }

    private void TakeBack(ulong loan)
    {
        FileSegment file;
        lock (_lock)
        {
            if (!_loans.Remove(loan, out file))
            {
                throw new MalformedLendingException("what was not lent was returned");
            }
        }

        GiveUp(file);
    }

    private void GiveUp(in FileSegment file)
    {
        _book.Remove(file);
        file.Dispose();
    }

    private void Answer(ulong loan, LendingOutcome outcome, SafeFileHandle? descriptor = null)
    {
        Span<byte> buffer = stackalloc byte[32];
        LendingMessage answer = new(buffer, LendingMessageKind.Lent);
        answer.Number(loan);
        answer.Outcome(outcome);
        if (!_socket.TrySend(answer.Bytes, descriptor))
        {
            // It is gone, or does not read its answers: the receiving thread ends it.
            _socket.Shutdown();
        }
    }

    private void Settle()
    {
        FileSegment[] files;
        lock (_lock)
        {
            if (_isEnded)
            {
                return;
            }

            _isEnded = true;
            files = [.. _loans.Values];
            _loans.Clear();
        }

        // Not disposed: a question that is ending may still ask for the token.
        _lifetime.Cancel();
        foreach (FileSegment file in files)
        {
            GiveUp(file);
        }
    }
}
