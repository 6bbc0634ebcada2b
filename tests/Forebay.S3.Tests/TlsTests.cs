using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Forebay.Core;
using Forebay.S3.Tests.Fakes;

namespace Forebay.S3.Tests;

public sealed class TlsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("forebay-s3").FullName;
    private string _thumbprint = "";

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task AnEndpointWithACertificateServesTls()
    {
        await using TestServer server = await StartAsync();
        server.Bucket.Put("x", new byte[600_000]);

        Assert.Equal(600_000, (await GetAsync(server, "x")).Length);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(500_000)]
    public async Task ACacheFileThatEndsEarlyIsReportedAndTheRestIsReadPastIt(int fileBytes)
    {
        await using TestServer server = await StartAsync();
        byte[] bytes = RandomNumberGenerator.GetBytes(900_000);
        server.Bucket.FileBytes = fileBytes;
        server.Bucket.Put("x", bytes);

        Assert.Equal(bytes, await GetAsync(server, "x"));
        Assert.Equal(1, server.Bucket.Unreadable);
    }

    [Fact]
    public async Task AMissingCertificateIsNamed()
    {
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(
            () => TestServer.StartAsync(o => o with { Tls = new TlsOptions("/none/cert.pem", "/none/key.pem") }));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("/none/cert.pem", error.Message, StringComparison.Ordinal);
    }

    private async Task<TestServer> StartAsync()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var tls = new TlsOptions(Path.Combine(_directory, "cert.pem"), Path.Combine(_directory, "key.pem"));
        await File.WriteAllTextAsync(tls.CertificatePemPath, certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(tls.KeyPemPath, key.ExportPkcs8PrivateKeyPem());
        _thumbprint = certificate.GetCertHashString();
        return await TestServer.StartAsync(o => o with { Tls = tls });
    }

    private async Task<byte[]> GetAsync(TestServer server, string key)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.GetCertHashString() == _thumbprint } });
        return await http.GetByteArrayAsync(new Uri($"https://127.0.0.1:{server.Uri.Port}/data/{key}"));
    }
}
